export { applyFault } from './apply.js';
export {
  type Action,
  actions,
  type FaultDecision,
  type FaultPlan,
  type FaultRequest,
  planFault,
  type TargetKind,
  targetKinds,
} from './fault.js';
