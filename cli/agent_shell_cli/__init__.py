"""The program `agent-shell`: command line, live prompt, scripted mode, views."""
