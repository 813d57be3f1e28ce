import { type core, pods } from '@flotilla/api';
import type { Profile } from '@flotilla/host';
import { type AdmissionStep, isNew } from './step.js';

const troubles = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;

const tolerates = (toleration: core.Toleration, key: string): boolean =>
  (toleration.key === key || !toleration.key) && (toleration.effect === 'NoExecute' || !toleration.effect);

/**
 * How long pods stay on a node that has become unreachable, unless they say so themselves. Upstream: 300 s. The `fast`
 * profile waits one second, so that replacements run within about two seconds of a node's death.
 */
export function defaultTolerations(profile: Profile): AdmissionStep {
  const tolerationSeconds = profile === 'kubernetes' ? 300 : 1;
  return {
    name: 'DefaultTolerationSeconds',
    mutate(admission) {
      if (!isNew(admission, pods)) return admission.object;
      const pod = admission.object as core.Pod;
      const present = pod.spec.tolerations ?? [];
      const missing = troubles.filter((key) => !present.some((t) => tolerates(t, key)));
      if (missing.length === 0) return pod;
      const added = missing.map(
        (key): core.Toleration => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds }),
      );
      return { ...pod, spec: { ...pod.spec, tolerations: [...present, ...added] } };
    },
  };
}
