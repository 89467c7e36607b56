"""`python -m agent_shell_cli` is `agent-shell`."""

from agent_shell_cli.app import main

if __name__ == "__main__":
    main()
