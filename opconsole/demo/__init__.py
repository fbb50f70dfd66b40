"""The demo: a workspace with a small real web service, three environments and the guide's cascade."""
