# somebody typed it at the prompt; a power cut ends it
import webrepl

webrepl.start(password="bench-1")
