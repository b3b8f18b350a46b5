"""Intents: what a house is asked all day, understood without a language model."""
