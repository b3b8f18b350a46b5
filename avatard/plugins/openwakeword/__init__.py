"""openWakeWord: more phrases, and models of your own, for more of a core."""
