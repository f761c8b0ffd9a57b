import thermostat

import troth_agent

thermostat.Thermostat().step(19.0)
troth_agent.run()
