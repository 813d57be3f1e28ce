export type { ControllersConfig, CpuPressure, VolumeDirectories } from './context.js';
export { procCpuPressure } from './nodes/pressure.js';
export { type Controllers, type ControllersOptions, startControllers } from './start.js';
