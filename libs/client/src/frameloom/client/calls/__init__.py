"""The calls of the API, a module for each subject; :class:`frameloom.client.api.AsyncClient` has them all."""
