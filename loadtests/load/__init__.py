"""How load is made and measured: closed loop, open loop, processes and machine."""
