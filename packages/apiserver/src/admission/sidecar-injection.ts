import { type core, namespaces, pods } from '@flotilla/api';
import { inject, type MeshConfig } from './sidecar.js';
import { type AdmissionStep, isNew } from './step.js';

/** Istio's mutating webhook as a step of ours. */
export function sidecarInjection(config: MeshConfig): AdmissionStep {
  return {
    name: 'SidecarInjection',
    mutate(admission, cluster) {
      if (!isNew(admission, pods)) return admission.object;
      const pod = admission.object as core.Pod;
      const namespace = cluster.find(namespaces, '', admission.namespace);
      return inject(pod, namespace?.metadata ?? { name: admission.namespace }, config);
    },
  };
}
