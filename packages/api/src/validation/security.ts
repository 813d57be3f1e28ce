import type { FieldPath } from '../errors.js';
import type * as core from '../gen/core-v1.js';
import { rangeMessage } from '../names.js';
import { duplicates, type FieldErrors, invalid, notSupported, optionalOneOf, required } from './common.js';
import { localPath } from './paths.js';

const maxId = 2 ** 31 - 1;

/** A user or group. */
function id(path: FieldPath, value: number | undefined): FieldErrors {
  return value === undefined || (value >= 0 && value <= maxId) ? [] : [invalid(path, value, rangeMessage(0, maxId))];
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

type Profile = core.SeccompProfile | core.AppArmorProfile;

function validateProfile(profile: Profile | undefined, field: string, kind: string, path: FieldPath): FieldErrors {
  if (!profile) return [];
  const at = path.child(field);
  const local = at.child('localhostProfile');
  const errors: FieldErrors = [];
  if (!profile.type) errors.push(required(at.child('type'), `type is required when ${field} is set`));
  else if (!profileTypes.includes(profile.type)) {
    errors.push(notSupported(at.child('type'), profile.type, profileTypes));
  }
  if (profile.type === 'Localhost') {
    if (!profile.localhostProfile) errors.push(required(local, `must be set when ${kind} type is Localhost`));
    else if (field === 'seccompProfile') errors.push(...localPath(local, profile.localhostProfile));
  } else if (profile.localhostProfile !== undefined) {
    const value = field === 'seccompProfile' ? profile : profile.localhostProfile;
    errors.push(invalid(local, value, `can only be set when ${kind} type is Localhost`));
  }
  return errors;
}

function validateProfiles(
  context: { seccompProfile?: core.SeccompProfile; appArmorProfile?: core.AppArmorProfile },
  path: FieldPath,
): FieldErrors {
  return [
    ...validateProfile(context.seccompProfile, 'seccompProfile', 'seccomp', path),
    ...validateProfile(context.appArmorProfile, 'appArmorProfile', 'AppArmor', path),
  ];
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

function validateSysctls(sysctls: readonly core.Sysctl[], path: FieldPath): FieldErrors {
  const pattern = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
  return [
    ...sysctls.flatMap(({ name }, i) => {
      const at = path.index(i).child('name');
      if (!name) return [required(at)];
      if (name.length <= 253 && sysctlName.test(name)) return [];
      return [invalid(at, name, `must have at most 253 characters and match regex ${pattern}`)];
    }),
    ...duplicates(
      sysctls,
      (s) => s.name,
      (i) => path.index(i).child('name'),
    ),
  ];
}

export function validatePodSecurity(spec: core.PodSpec, path: FieldPath): FieldErrors {
  const context = spec.securityContext;
  if (!context) return [];
  const errors = [
    ...id(path.child('fsGroup'), context.fsGroup),
    ...id(path.child('runAsUser'), context.runAsUser),
    ...id(path.child('runAsGroup'), context.runAsGroup),
    ...(context.supplementalGroups ?? []).flatMap((gid, i) => id(path.child('supplementalGroups').index(i), gid)),
  ];
  if (spec.shareProcessNamespace && spec.hostPID) {
    const message = 'ShareProcessNamespace and HostPID cannot both be enabled';
    errors.push(invalid(path.child('shareProcessNamespace'), true, message));
  }
  return [
    ...errors,
    ...validateSysctls(context.sysctls ?? [], path.child('sysctls')),
    ...optionalOneOf(path.child('fsGroupChangePolicy'), context.fsGroupChangePolicy, ['Always', 'OnRootMismatch']),
    ...validateProfiles(context, path),
    ...optionalOneOf(path.child('supplementalGroupsPolicy'), context.supplementalGroupsPolicy, ['Merge', 'Strict']),
    ...optionalOneOf(path.child('seLinuxChangePolicy'), context.seLinuxChangePolicy, ['MountOption', 'Recursive']),
  ];
}

export function validateContainerSecurity(
  context: core.SecurityContext | undefined,
  hostUsers: boolean,
  path: FieldPath,
): FieldErrors {
  if (!context) return [];
  const errors = [
    ...id(path.child('runAsUser'), context.runAsUser),
    ...id(path.child('runAsGroup'), context.runAsGroup),
  ];
  errors.push(...optionalOneOf(path.child('procMount'), context.procMount, ['Default', 'Unmasked']));
  if (hostUsers && context.procMount === 'Unmasked') {
    errors.push(invalid(path.child('procMount'), context.procMount, '`hostUsers` must be false to use `Unmasked`'));
  }
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged) {
      const message = 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true';
      errors.push(invalid(path, context, message));
    }
    if (context.capabilities?.add?.includes('CAP_SYS_ADMIN')) {
      const message = 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN';
      errors.push(invalid(path, context, message));
    }
  }
  return [...errors, ...validateProfiles(context, path)];
}
