import { type core, forbidden, pods } from '@flotilla/api';
import { type AdmissionStep, isNew } from './step.js';

/** The priority classes that every cluster has. */
const builtIn: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

/** A pod's priority follows its class; PriorityClass objects are not served yet, so only the built-in ones exist. */
export const priority: AdmissionStep = {
  name: 'Priority',
  mutate(admission) {
    if (!isNew(admission, pods)) return admission.object;
    const pod = admission.object as core.Pod;
    const value = builtIn[pod.spec.priorityClassName ?? ''] ?? 0;
    return {
      ...pod,
      spec: { ...pod.spec, priority: value, preemptionPolicy: pod.spec.preemptionPolicy ?? 'PreemptLowerPriority' },
    };
  },
  admit(admission) {
    if (!isNew(admission, pods)) return undefined;
    const { priorityClassName } = (admission.object as core.Pod).spec;
    if (!priorityClassName || Object.hasOwn(builtIn, priorityClassName)) return undefined;
    return forbidden(pods, admission.name, `no PriorityClass with name ${priorityClassName} was found`);
  },
};
