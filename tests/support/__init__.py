"""What the tests that cross services stand on: servers, deployments, pipelines and media of their own."""
