import troth_agent

troth_agent.run()
