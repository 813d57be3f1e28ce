import { type core, pods } from '@flotilla/api';
import { type AdmissionStep, isNew } from './step.js';

/**
 * Pods run as the service account `default` unless they name another. Upstream also demands that the account exists and
 * mounts its token; tokens are not issued yet, so neither is done.
 */
export const serviceAccount: AdmissionStep = {
  name: 'ServiceAccount',
  mutate(admission) {
    if (!isNew(admission, pods)) return admission.object;
    const pod = admission.object as core.Pod;
    const name = pod.spec.serviceAccountName || pod.spec.serviceAccount || 'default';
    if (pod.spec.serviceAccountName === name && pod.spec.serviceAccount === name) return pod;
    return { ...pod, spec: { ...pod.spec, serviceAccountName: name, serviceAccount: name } };
  },
};
