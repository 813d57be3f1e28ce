import { FieldPath } from '../errors.js';
import type * as coordination from '../gen/coordination-v1.js';
import type * as core from '../gen/core-v1.js';
import type * as eventsApi from '../gen/events-v1.js';
import { cidrErrors, dns1123LabelErrors, ipFamily, labelValueErrors } from '../names.js';
import {
  complain,
  duplicate,
  type FieldErrors,
  forbidden,
  greaterThanZero,
  invalid,
  nonnegative,
  oneOf,
  present,
  qualifiedName,
  type Rules,
} from './common.js';
import { quantityValue } from './resources.js';
import { taintEffects } from './scheduling.js';

function namespaceStatus(namespace: core.Namespace): FieldErrors {
  const wanted = namespace.metadata.deletionTimestamp === undefined ? 'Active' : 'Terminating';
  const { phase } = namespace.status;
  if (phase === wanted) return [];
  const when = wanted === 'Active' ? 'empty' : 'not empty';
  const message = `may only be '${wanted}' if \`deletionTimestamp\` is ${when}`;
  return [invalid(FieldPath.of('status', 'Phase'), phase ?? '', message)];
}

export const namespaceRules: Rules = {
  name: dns1123LabelErrors,
  create: () => [],
  update: () => [],
  status: namespaceStatus,
};

/** Upstream says `metadata.taints`. */
const taintsPath = FieldPath.of('metadata', 'taints');

function validateTaints(taints: readonly core.Taint[]): FieldErrors {
  const seen = new Set<string>();
  return taints.flatMap((taint, i) => {
    const at = taintsPath.index(i);
    const errors = qualifiedName(at.child('key'), taint.key);
    const complaints = labelValueErrors(taint.value ?? '');
    if (complaints.length > 0) errors.push(invalid(at.child('value'), taint.value, complaints.join(';')));
    errors.push(...oneOf(at.child('effect'), taint.effect, taintEffects));
    const key = `${taint.key}:${taint.effect}`;
    if (seen.has(key)) errors.push(duplicate(at, taint, 'taints must be unique by key and effect pair'));
    seen.add(key);
    return errors;
  });
}

function validateNodeResources({ status }: core.Node): FieldErrors {
  return (['capacity', 'allocatable'] as const).flatMap((which) =>
    Object.entries(status?.[which] ?? {}).flatMap(([name, text]) =>
      quantityValue(FieldPath.of('status', which, name), name, text),
    ),
  );
}

function validateNode(node: core.Node): FieldErrors {
  const cidrs = node.spec?.podCIDRs ?? [];
  const at = FieldPath.of('spec', 'podCIDRs');
  const errors = [...validateTaints(node.spec?.taints ?? []), ...validateNodeResources(node)];
  for (const [i, cidr] of cidrs.entries()) errors.push(...complain(at.index(i), cidr, cidrErrors(cidr)));
  const families = new Set(cidrs.map((cidr) => ipFamily(cidr.split('/')[0]!)));
  if (cidrs.length > 1 && (cidrs.length > 2 || families.size < 2)) {
    errors.push(invalid(at, cidrs, 'may specify no more than one CIDR for each IP family'));
  }
  return errors;
}

function validateNodeUpdate(node: core.Node, old: core.Node): FieldErrors {
  const errors = [...validateNode(node)];
  const seen = new Set<string>();
  for (const [i, address] of (node.status?.addresses ?? []).entries()) {
    const key = `${address.type}/${address.address}`;
    if (seen.has(key)) errors.push(duplicate(FieldPath.of('status', 'addresses').index(i), address));
    seen.add(key);
  }
  const before = old.spec?.podCIDRs ?? [];
  if (before.length > 0 && before.join() !== (node.spec?.podCIDRs ?? []).join()) {
    const message = 'node updates may not change podCIDR except from "" to valid';
    errors.push(forbidden(FieldPath.of('spec', 'podCIDRs'), message));
  }
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID) {
    const message = 'node updates may not change providerID except from "" to valid';
    errors.push(forbidden(FieldPath.of('spec', 'providerID'), message));
  }
  return errors;
}

export const nodeRules: Rules = { create: validateNode, update: validateNodeUpdate, status: validateNodeUpdate };

/** Events about things without a namespace live in `default`. */
function eventNamespace(namespace: string | undefined, about: core.ObjectReference, path: FieldPath): FieldErrors {
  const place = namespace ?? '';
  const agrees = about.namespace ? about.namespace === place : place === '' || place === 'default';
  return agrees ? [] : [invalid(path.child('namespace'), about.namespace ?? '', 'does not match event.namespace')];
}

interface NewStyleEvent {
  eventTime?: string;
  action?: string;
  reason?: string;
  reportingInstance?: string;
  type?: string;
}

/** An event that gives an `eventTime` speaks the new API and must say all of it. */
function newStyle(event: NewStyleEvent, controller: string | undefined): FieldErrors {
  if (!event.eventTime) return [];
  const errors = present(FieldPath.of('reportingController'), controller);
  if (controller) errors.push(...qualifiedName(FieldPath.of('reportingController'), controller));
  return [
    ...errors,
    ...present(FieldPath.of('reportingInstance'), event.reportingInstance),
    ...present(FieldPath.of('action'), event.action),
    ...present(FieldPath.of('reason'), event.reason),
  ];
}

export const coreEventRules: Rules = {
  create: (event: core.Event) => [
    ...eventNamespace(event.metadata.namespace, event.involvedObject, FieldPath.of('involvedObject')),
    ...newStyle(event, event.reportingComponent),
  ],
};

export const eventRules: Rules = {
  create: (event: eventsApi.Event) => [
    ...eventNamespace(event.metadata.namespace, event.regarding, FieldPath.of('regarding')),
    ...newStyle(event, event.reportingController),
    ...oneOf(FieldPath.of('type'), event.type, ['Normal', 'Warning']),
  ],
};

export const leaseRules: Rules = {
  create: ({ spec }: coordination.Lease) => {
    const at = FieldPath.of('spec');
    const { leaseDurationSeconds: seconds, leaseTransitions } = spec ?? {};
    return [
      ...(seconds === undefined ? [] : greaterThanZero(at.child('leaseDurationSeconds'), seconds)),
      ...nonnegative(at.child('leaseTransitions'), leaseTransitions),
    ];
  },
};
