import thermostat

import troth_agent

# What no board can find out of its own application; an empty list says that there is none. A board
# with a prompt declares in boot.py: main.py does not run where questions are answered over it.
troth_agent.declare(
    password_state="none",
    factory_state=False,
    has_network_login=False,
    net_config=False,
    service_auth=[],
    auth_algs=[],
    services=[],
    listeners=[],
    links=[],
    telemetry=[],
    sensors=["temperature"],
    location_present=False,
)
thermostat.Thermostat().step(19.0)
troth_agent.run()
