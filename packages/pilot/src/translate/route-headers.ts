import type { istio } from '@flotilla/api';
import type { HeaderValueOption } from '@flotilla/xds';

/** What a rule does to headers, in the fields that routes and weighted clusters share. */
export interface HeaderEdits {
  request_headers_to_add?: HeaderValueOption[];
  request_headers_to_remove?: string[];
  response_headers_to_add?: HeaderValueOption[];
  response_headers_to_remove?: string[];
}

/** Edits, and the authority when a rule sets `host`: Envoy does not let headers edit that. */
export function headerEdits(headers: istio.Headers | undefined): { edits: HeaderEdits; authority: string | undefined } {
  const { request, response } = headers ?? {};
  const edits: HeaderEdits = {};
  const requestAdd = [...options(request?.set, true), ...options(request?.add, false)];
  const responseAdd = [...options(response?.set, true), ...options(response?.add, false)];
  const requestRemove = (request?.remove ?? []).filter((name) => !isAuthority(name) && !name.startsWith(':'));
  const responseRemove = (response?.remove ?? []).filter((name) => !name.startsWith(':'));
  if (requestAdd.length > 0) edits.request_headers_to_add = requestAdd;
  if (requestRemove.length > 0) edits.request_headers_to_remove = requestRemove;
  if (responseAdd.length > 0) edits.response_headers_to_add = responseAdd;
  if (responseRemove.length > 0) edits.response_headers_to_remove = responseRemove;
  return { edits, authority: authorityOf(request?.set) ?? authorityOf(request?.add) };
}

/** Both edits, the second after the first. */
export function joinEdits(first: HeaderEdits, second: HeaderEdits): HeaderEdits {
  const out: HeaderEdits = { ...first };
  for (const field of ['request_headers_to_add', 'response_headers_to_add'] as const) {
    if (second[field]) out[field] = [...(out[field] ?? []), ...second[field]];
  }
  for (const field of ['request_headers_to_remove', 'response_headers_to_remove'] as const) {
    if (second[field]) out[field] = [...(out[field] ?? []), ...second[field]];
  }
  return out;
}

function options(headers: Record<string, string> | undefined, overwrite: boolean): HeaderValueOption[] {
  return Object.entries(headers ?? {})
    .filter(([key]) => !isAuthority(key) && !key.startsWith(':'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({
      header: { key, value },
      append_action: overwrite ? 'OVERWRITE_IF_EXISTS_OR_ADD' : 'APPEND_IF_EXISTS_OR_ADD',
    }));
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === 'host' || lower === ':authority';
}

function authorityOf(headers: Record<string, string> | undefined): string | undefined {
  return Object.entries(headers ?? {}).find(([name]) => isAuthority(name))?.[1];
}
