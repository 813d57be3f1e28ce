export { type RunningPilot, startPilot } from './pilot.js';
