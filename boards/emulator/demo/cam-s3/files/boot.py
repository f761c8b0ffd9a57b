# The maker left the remote prompt on, with one password for every camera sold.
import webrepl

webrepl.start()
