"""WebRTC's echo canceller (AEC3), as livekit brings it."""
