"""HTTP around the handlers: typed parameters, answers, errors, CORS, OpenAPI. No business here."""
