"""What the service must survive: floods, fuzz, crashes, restarts and changes of model, over real sockets."""
