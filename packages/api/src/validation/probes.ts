import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { headerNameErrors } from '../names.js';
import {
  complain,
  type FieldErrors,
  forbidden,
  invalid,
  nonnegative,
  notSupported,
  portNumberOrName,
  required,
} from './common.js';

/** What probes and lifecycle hooks can do. */
interface Handler {
  exec?: core.ExecAction;
  httpGet?: core.HTTPGetAction;
  tcpSocket?: core.TCPSocketAction;
  grpc?: core.GRPCAction;
  sleep?: core.SleepAction;
}

const handlerTypes = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

function validateHandler(handler: Handler, grace: number | undefined, path: FieldPath): FieldErrors {
  const [first, ...more] = handlerTypes.filter((type) => handler[type] !== undefined);
  if (!first) return [required(path, 'must specify a handler type')];
  const at = path.child(first);
  const errors: FieldErrors = [];
  if (first === 'exec' && !handler.exec!.command?.length) errors.push(required(at.child('command')));
  if (first === 'httpGet') errors.push(...validateHttpGet(handler.httpGet!, at));
  if (first === 'tcpSocket') errors.push(...portNumberOrName(at.child('port'), handler.tcpSocket!.port));
  if (first === 'grpc') errors.push(...portNumberOrName(at.child('port'), handler.grpc!.port));
  if (first === 'sleep') {
    const { seconds } = handler.sleep!;
    if (grace !== undefined && (seconds < 0 || seconds > grace)) {
      const message = `must be non-negative and less than terminationGracePeriodSeconds (${grace})`;
      errors.push(invalid(at, seconds, message));
    }
  }
  for (const type of more) errors.push(forbidden(path.child(type), 'may not specify more than 1 handler type'));
  return errors;
}

function validateHttpGet(action: core.HTTPGetAction, path: FieldPath): FieldErrors {
  const errors: FieldErrors = [];
  if (!action.path) errors.push(required(path.child('path')));
  errors.push(...portNumberOrName(path.child('port'), action.port));
  if (action.scheme !== 'HTTP' && action.scheme !== 'HTTPS') {
    errors.push(notSupported(path.child('scheme'), action.scheme ?? '', ['HTTP', 'HTTPS']));
  }
  for (const header of action.httpHeaders ?? []) {
    errors.push(...complain(path.child('httpHeaders'), header.name, headerNameErrors(header.name)));
  }
  return errors;
}

const numbers = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

type ProbeField = 'livenessProbe' | 'readinessProbe' | 'startupProbe';

export function validateProbes(container: core.Container, grace: number | undefined, path: FieldPath): FieldErrors {
  const fields: ProbeField[] = ['livenessProbe', 'readinessProbe', 'startupProbe'];
  return fields.flatMap((field) => {
    const probe = container[field];
    return probe ? validateProbe(probe, field, grace, path.child(field)) : [];
  });
}

function validateProbe(probe: core.Probe, field: ProbeField, grace: number | undefined, path: FieldPath): FieldErrors {
  const errors = validateHandler(probe, grace, path);
  for (const name of numbers) errors.push(...nonnegative(path.child(name), probe[name]));
  const own = probe.terminationGracePeriodSeconds;
  const at = path.child('terminationGracePeriodSeconds');
  if (own !== undefined && own <= 0) errors.push(invalid(at, own, 'must be greater than 0'));
  if (field === 'readinessProbe') {
    if (own !== undefined) errors.push(invalid(at, own, 'must not be set for readinessProbes'));
  } else if ((probe.successThreshold ?? 1) !== 1) {
    errors.push(invalid(path.child('successThreshold'), probe.successThreshold, 'must be 1'));
  }
  return errors;
}

export function validateLifecycle(
  lifecycle: core.Lifecycle | undefined,
  grace: number | undefined,
  os: core.PodOS | undefined,
  path: FieldPath,
): FieldErrors {
  if (!lifecycle) return [];
  const errors: FieldErrors = [];
  if (lifecycle.postStart) errors.push(...validateHandler(lifecycle.postStart, grace, path.child('postStart')));
  if (lifecycle.preStop) errors.push(...validateHandler(lifecycle.preStop, grace, path.child('preStop')));
  if (lifecycle.stopSignal !== undefined && os === undefined) {
    const message = 'may not be set for containers with empty `spec.os.name`';
    errors.push(forbidden(path.child('stopSignal'), message));
  }
  return errors;
}
