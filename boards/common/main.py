# It never returns, so nobody is led to a prompt: the agent reports for ever, and whatever ends it
# ends in a restart. Your own work goes in front of run(), as a thread.
import time

import machine

try:
    import troth_agent

    troth_agent.run()
finally:
    time.sleep(5)
    machine.reset()
