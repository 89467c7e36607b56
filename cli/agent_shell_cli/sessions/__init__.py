"""`agent-shell sessions`: what is in the journal, without taking it from anybody."""
