import { badRequest, fieldErrors, FieldPath, invalid, type KubeObject, type ResourceInfo } from '@flotilla/api';
import type { Request, User } from './request.js';
import type { ResourceTarget } from './route.js';

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

/** One resource request on its way through the pipeline. */
export interface Call<T extends KubeObject = KubeObject> {
  request: Request;
  user: User;
  target: ResourceTarget;
  info: ResourceInfo<T>;
  /** Whether nothing may be persisted. */
  dryRun: boolean;
  fieldValidation: FieldValidation;
  /** Collected on the way, sent as `Warning` headers. */
  warnings: string[];
}

const optionsKind = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  delete: 'DeleteOptions',
};

/** The options that all writes share. Throws 422 for values that do not exist. */
export function writeOptions(verb: string, query: URLSearchParams): Pick<Call, 'dryRun' | 'fieldValidation'> {
  const kind = optionsKind[verb as keyof typeof optionsKind] ?? 'DeleteOptions';
  const dryRun = query.getAll('dryRun').filter(Boolean);
  if (dryRun.some((v) => v !== 'All')) {
    const error = fieldErrors.notSupported(FieldPath.of('dryRun'), dryRun, ['All']);
    throw invalid({ group: 'meta.k8s.io', kind }, '', [error]);
  }
  const fieldValidation = query.get('fieldValidation') || 'Warn';
  if (fieldValidation !== 'Ignore' && fieldValidation !== 'Warn' && fieldValidation !== 'Strict') {
    const supported = ['', 'Ignore', 'Strict', 'Warn'];
    const error = fieldErrors.notSupported(FieldPath.of('fieldValidation'), fieldValidation, supported);
    throw invalid({ group: 'meta.k8s.io', kind }, '', [error]);
  }
  return { dryRun: dryRun.length > 0, fieldValidation };
}

/** A non-negative whole number of the query, or undefined. Throws 400. */
export function countOption(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d+$/.test(text)) {
    throw badRequest(
      `invalid query parameter ${name}: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}

const truths = new Set(['1', 't', 'T', 'true', 'TRUE', 'True', '']);

/** A flag of the query as upstream reads it: present and empty is true. */
export function flagOption(query: URLSearchParams, name: string): boolean {
  const text = query.get(name);
  return text !== null && truths.has(text);
}

/** A resourceVersion as clients send it: `undefined` for none or empty, else a number. Throws 422 as upstream does. */
export function revisionOption(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  const why = `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw invalid({ group: '', kind: 'ListOptions' }, '', [
    fieldErrors.invalid(FieldPath.of('resourceVersion'), text, why),
  ]);
}
