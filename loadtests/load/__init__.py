"""How load is sent and measured: closed loop, open loop, processes and machine."""
