import { FieldPath } from '../errors.js';
import type * as networking from '../gen/networking-v1.js';
import {
  dns1035LabelErrors,
  dns1123SubdomainErrors,
  ipErrors,
  ipFamily,
  portNameErrors,
  portNumberErrors,
  wildcardSubdomainErrors,
} from '../names.js';
import {
  complain,
  dnsSubdomain,
  type FieldErrors,
  immutable,
  invalid,
  notSupported,
  present,
  required,
  type Rules,
  tooLong,
} from './common.js';

const root = FieldPath.of('spec');

function validateIngress({ spec }: networking.Ingress): FieldErrors {
  const { rules = [], tls = [], defaultBackend, ingressClassName } = spec;
  const errors: FieldErrors = [];
  if (rules.length === 0 && !defaultBackend) {
    errors.push(invalid(root, rules, 'either `defaultBackend` or `rules` must be specified'));
  }
  if (defaultBackend) errors.push(...validateBackend(defaultBackend, root.child('defaultBackend')));
  const at = root.child('rules');
  for (const [i, rule] of rules.entries()) {
    if (rule.host) errors.push(...validateHost(rule.host, at.index(i).child('host')));
    if (rule.http) errors.push(...validatePaths(rule.http, at.index(i).child('http')));
  }
  for (const [i, { hosts, secretName }] of tls.entries()) {
    const path = root.child('tls').index(i);
    for (const [j, host] of (hosts ?? []).entries())
      errors.push(...validateTlsHost(host, path.child('hosts').index(j)));
    if (secretName) errors.push(...dnsSubdomain(path.child('secretName'), secretName));
  }
  if (ingressClassName !== undefined) errors.push(...dnsSubdomain(root.child('ingressClassName'), ingressClassName));
  return errors;
}

function validateTlsHost(host: string, path: FieldPath): FieldErrors {
  return complain(path, host, host.includes('*') ? wildcardSubdomainErrors(host) : dns1123SubdomainErrors(host));
}

function validateHost(host: string, path: FieldPath): FieldErrors {
  if (ipFamily(host)) return [invalid(path, host, 'must be a DNS name, not an IP address')];
  return validateTlsHost(host, path);
}

function validatePaths(rule: networking.HTTPIngressRuleValue, path: FieldPath): FieldErrors {
  const at = path.child('paths');
  if (!rule.paths?.length) return [required(at)];
  return rule.paths.flatMap((entry, i) => validatePath(entry, at.index(i)));
}

const badSequences = ['//', '/./', '/../', '%2f', '%2F'];
const badEndings = ['/..', '/.'];
const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];

function validatePath(entry: networking.HTTPIngressPath, path: FieldPath): FieldErrors {
  const { path: text = '', pathType, backend } = entry;
  if (!pathType) return [required(path.child('pathType'), 'pathType must be specified')];
  const at = path.child('path');
  const errors: FieldErrors = [];
  if (!pathTypes.includes(pathType)) errors.push(notSupported(path.child('pathType'), pathType, pathTypes));
  const literal = pathType === 'Exact' || pathType === 'Prefix';
  if (!text.startsWith('/') && (literal || text !== '')) errors.push(invalid(at, text, 'must be an absolute path'));
  if (literal) {
    for (const bad of badSequences) if (text.includes(bad)) errors.push(invalid(at, text, `must not contain '${bad}'`));
    for (const bad of badEndings) if (text.endsWith(bad)) errors.push(invalid(at, text, `cannot end with '${bad}'`));
  }
  return [...errors, ...validateBackend(backend ?? {}, path.child('backend'))];
}

function validateBackend({ service, resource }: networking.IngressBackend, path: FieldPath): FieldErrors {
  if (service && resource) return [invalid(path, '', 'cannot set both resource and service backends')];
  if (resource) {
    const at = path.child('resource');
    return [...present(at.child('kind'), resource.kind), ...present(at.child('name'), resource.name)];
  }
  if (!service) return [invalid(path, '', 'resource or service backend is required')];
  const at = path.child('service', 'name');
  const errors = service.name ? complain(at, service.name, dns1035LabelErrors(service.name)) : [required(at)];
  const { name, number } = service.port ?? {};
  const port = path.child('service', 'port');
  if (name && number) errors.push(invalid(path, '', 'cannot set both port name & port number'));
  else if (name) errors.push(...complain(port.child('name'), name, portNameErrors(name)));
  else if (number) errors.push(...complain(port.child('number'), number, portNumberErrors(number)));
  else errors.push(required(path, 'port name or number is required'));
  return errors;
}

const classAnnotation = 'kubernetes.io/ingress.class';

function create(ingress: networking.Ingress): FieldErrors {
  const annotation = ingress.metadata.annotations?.[classAnnotation];
  const { ingressClassName } = ingress.spec;
  const errors = validateIngress(ingress);
  if (annotation === undefined || ingressClassName === undefined || annotation === ingressClassName) return errors;
  const at = FieldPath.of('metadata', 'annotations', classAnnotation);
  return [invalid(at, annotation, 'must match `ingressClassName` when both are specified'), ...errors];
}

function status(ingress: networking.Ingress): FieldErrors {
  const at = FieldPath.of('status', 'loadBalancer', 'ingress');
  return (ingress.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, i) => [
    ...(ip ? complain(at.index(i).child('ip'), ip, ipErrors(ip)) : []),
    ...(hostname ? validateHost(hostname, at.index(i).child('hostname')) : []),
  ]);
}

export const ingressRules: Rules = { create, update: validateIngress, status };

const maxController = 250;

function validateClass({ spec }: networking.IngressClass): FieldErrors {
  const at = root.child('controller');
  const controller = spec?.controller ?? '';
  if (controller === '') return [required(at)];
  const errors = controller.length > maxController ? [tooLong(at, maxController)] : [];
  const [domain = '', ...path] = controller.split('/');
  if (path.join('/') === '' || dns1123SubdomainErrors(domain).length > 0) {
    errors.push(invalid(at, controller, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  }
  return errors;
}

export const ingressClassRules: Rules = {
  create: validateClass,
  update: (now: networking.IngressClass, before: networking.IngressClass) =>
    immutable(root.child('controller'), now.spec?.controller, before.spec?.controller),
};
