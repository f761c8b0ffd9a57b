# The agent knows its own hardened build by this module, which is found in an image and never in a
# file system; and that no prompt was compiled in.
PROFILE = "P2"
PROMPT = False
