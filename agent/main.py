# Boot: the board gives its word for ever. Ctrl-C leads to the prompt, unless the board is sealed.
import troth_agent

troth_agent.run()
