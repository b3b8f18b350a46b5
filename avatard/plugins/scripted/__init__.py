"""A scripted stand-in for every stage, so that the whole daemon runs anywhere from one YAML file."""
