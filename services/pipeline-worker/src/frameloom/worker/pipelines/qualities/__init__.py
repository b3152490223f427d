"""How a picture is: measures of one frame, stretches of a kind, and what a second or a shot amounts to."""
