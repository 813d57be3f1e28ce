import type { Profile } from '@flotilla/host';
import { defaultIngressClass, defaultStorageClass } from './default-class.js';
import { istioValidation } from './istio-validation.js';
import { namespaceLifecycle } from './namespace-lifecycle.js';
import { nodeRestriction } from './node-restriction.js';
import { priority } from './priority.js';
import { serviceAccount } from './service-account.js';
import { ServiceAddresses, type ServiceRanges } from './service-addresses.js';
import type { MeshConfig } from './sidecar.js';
import { sidecarInjection } from './sidecar-injection.js';
import type { Admission, AdmissionStep, ClusterView } from './step.js';
import { defaultTolerations } from './tolerations.js';

export interface AdmissionConfig extends ServiceRanges {
  profile: Profile;
  mesh: MeshConfig;
}

/** Every step, in the order in which the mutating halves run. */
export function admissionSteps(config: AdmissionConfig): readonly AdmissionStep[] {
  return [
    namespaceLifecycle,
    nodeRestriction,
    serviceAccount,
    priority,
    defaultTolerations(config.profile),
    defaultStorageClass,
    defaultIngressClass,
    sidecarInjection(config.mesh),
    new ServiceAddresses(config),
    istioValidation,
  ];
}

/** Runs the mutating halves; the object ends up in `admission.object`. Throws the first refusal of a resource's steps. */
export function mutate(steps: readonly AdmissionStep[], admission: Admission, cluster: ClusterView): void {
  for (const step of steps) {
    if (step.mutate && admission.operation !== 'DELETE') admission.object = step.mutate(admission, cluster);
  }
}

/** Runs one of the refusing halves. Throws the first refusal. */
export function check(
  half: 'admit' | 'validate',
  steps: readonly AdmissionStep[],
  admission: Admission,
  cluster: ClusterView,
): void {
  for (const step of steps) {
    const refusal = step[half]?.(admission, cluster);
    if (refusal) throw refusal;
  }
}
