export { type RunningScheduler, type SchedulerOptions, startScheduler } from './start.js';
