"""Home Assistant's conversation API as a responder and as a tool: what concerns the house goes there."""
