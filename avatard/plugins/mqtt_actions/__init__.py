"""Sentences that become MQTT messages."""
