// Loaded before a benchmark by `npm run speed -- --processor-time`: time is then what all threads of the process have spent on the processor, which
// other programs on the machine do not stretch. Only for adapters that compute on the processor, in the process itself.
performance.now = () => {
  const { user, system } = process.cpuUsage(); // microseconds
  return (user + system) / 1000;
};
