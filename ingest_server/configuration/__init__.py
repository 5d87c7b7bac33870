"""How settings are declared and read, for every program of the project; and the settings that two programs share."""
