import { type core, tolerates } from '@flotilla/api';
import { matchesTerm } from '../model/selectors.js';
import { normalized, type Score } from './score.js';

/** Avoids nodes with PreferNoSchedule taints that the pod does not tolerate. */
export const taintPreference: Score = {
  name: 'TaintToleration',
  weight: 3,
  prepare({ pod }, _cluster, nodes) {
    const minds = (taint: core.Taint): boolean =>
      taint.effect === 'PreferNoSchedule' && !pod.spec.tolerations?.some((toleration) => tolerates(toleration, taint));
    const raw = nodes.map((node) => node.node?.spec.taints?.filter(minds).length ?? 0);
    return raw.every((count) => count === 0) ? undefined : normalized(raw, true);
  },
};

/** Preferred node affinity. */
export const nodePreference: Score = {
  name: 'NodeAffinity',
  weight: 2,
  prepare({ pod }, _cluster, nodes) {
    const preferred = pod.spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (preferred.length === 0) return undefined;
    // Unlike a required term, an empty preferred one selects every node.
    const isEmpty = (term: core.NodeSelectorTerm): boolean =>
      (term.matchExpressions ?? []).length === 0 && (term.matchFields ?? []).length === 0;
    const raw = nodes.map(({ node }) =>
      preferred
        .filter((term) => node && (isEmpty(term.preference) || matchesTerm(term.preference, node)))
        .reduce((sum, term) => sum + term.weight, 0),
    );
    return normalized(raw, false);
  },
};
