"""A bridge to an MQTT broker: state and events out, commands in, discovery for Home Assistant."""
