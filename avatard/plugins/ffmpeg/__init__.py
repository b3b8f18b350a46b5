"""ffmpeg as the video encoder."""
