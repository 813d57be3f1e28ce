import { type core, tolerates } from '@flotilla/api';

/** The numeric order that Gt and Lt need; undefined if either is no integer. */
function compareIntegers(left: string | undefined, right: string | undefined): number | undefined {
  const integer = /^[+-]?\d+$/;
  if (left === undefined || right === undefined || !integer.test(left) || !integer.test(right)) return undefined;
  const [a, b] = [BigInt(left), BigInt(right)];
  return a < b ? -1 : a > b ? 1 : 0;
}

function holds(requirement: core.NodeSelectorRequirement, value: string | undefined): boolean {
  const values = requirement.values ?? [];
  switch (requirement.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return compareIntegers(value, values[0]) === 1;
    case 'Lt':
      return compareIntegers(value, values[0]) === -1;
  }
}

/** Whether a term selects a node; an empty term selects none. */
export function matchesTerm(term: core.NodeSelectorTerm, node: core.Node): boolean {
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  const labels = node.metadata.labels ?? {};
  return (
    expressions.every((requirement) => holds(requirement, labels[requirement.key])) &&
    fields.every((requirement) => requirement.key === 'metadata.name' && holds(requirement, node.metadata.name))
  );
}

/** Whether any term of the selector selects the node. */
export const matchesNodeSelector = (selector: core.NodeSelector, node: core.Node): boolean =>
  selector.nodeSelectorTerms.some((term) => matchesTerm(term, node));

/** `spec.nodeSelector` and required node affinity. */
export function matchesNodeAffinity(pod: core.Pod, node: core.Node): boolean {
  const labels = node.metadata.labels ?? {};
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {})) if (labels[key] !== value) return false;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || matchesNodeSelector(required, node);
}

/** The first taint of one of the effects that no toleration covers. */
export function untolerated(
  taints: readonly core.Taint[] | undefined,
  tolerations: readonly core.Toleration[] | undefined,
  effects: readonly core.TaintEffect[],
): core.Taint | undefined {
  return taints?.find(
    (taint) => effects.includes(taint.effect) && !tolerations?.some((toleration) => tolerates(toleration, taint)),
  );
}
