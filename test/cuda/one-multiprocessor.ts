/** Import this before the library: the simulated device is then one that even small products fill. */
process.env.GPUSIM_MULTIPROCESSORS = '1';
