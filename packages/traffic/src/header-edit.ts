import type { HeaderValueOption, HeaderValueOption_HeaderAppendAction } from '@flotilla/xds';
import { compileFormat } from './format.js';
import type { HeaderList } from './headers.js';
import { InvalidConfig } from './invalid.js';
import type { StreamInfo } from './stream-info.js';

/** Changes headers in place. */
export type HeaderEdit = (headers: HeaderList, info: StreamInfo) => void;

interface Addition {
  name: string;
  action: HeaderValueOption_HeaderAppendAction;
  keepEmpty: boolean;
  value: (info: StreamInfo) => string;
}

function compileAddition(option: HeaderValueOption, path: string): Addition {
  const name = (option.header?.key ?? '').toLowerCase();
  if (!name) throw new InvalidConfig(`${path}.header.key`, 'a header name is required');
  if (name.startsWith(':') && option.append !== false && !option.append_action?.startsWith('OVERWRITE')) {
    throw new InvalidConfig(`${path}.header.key`, 'pseudo-headers may only be overwritten');
  }
  const raw = option.header?.raw_value;
  const template = option.header?.value ?? (raw ? new TextDecoder().decode(raw) : '');
  return {
    name,
    // The older boolean: absent and true append, false overwrites.
    action:
      option.append_action ?? (option.append === false ? 'OVERWRITE_IF_EXISTS_OR_ADD' : 'APPEND_IF_EXISTS_OR_ADD'),
    keepEmpty: option.keep_empty_value ?? false,
    value: compileFormat(template, '', `${path}.header.value`),
  };
}

/** `*_headers_to_remove` first, then `*_headers_to_add`, as Envoy; undefined if there is nothing to do. */
export function compileHeaderEdit(
  add: readonly HeaderValueOption[] | undefined,
  remove: readonly string[] | undefined,
  path: string,
): HeaderEdit | undefined {
  const additions = (add ?? []).map((option, i) => compileAddition(option, `${path}_to_add[${i}]`));
  const removals = (remove ?? []).map((name) => name.toLowerCase());
  const bad = removals.findIndex((name) => name.startsWith(':') || name === 'host');
  if (bad >= 0) throw new InvalidConfig(`${path}_to_remove[${bad}]`, ':-prefixed or host headers may not be removed');
  if (additions.length === 0 && removals.length === 0) return undefined;
  return (headers, info) => {
    for (const name of removals) headers.remove(name);
    for (const addition of additions) apply(headers, addition, addition.value(info));
  };
}

function apply(headers: HeaderList, { name, action, keepEmpty }: Addition, value: string): void {
  if (value === '' && !keepEmpty) return;
  switch (action) {
    case 'ADD_IF_ABSENT':
      if (!headers.has(name)) headers.append(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS':
      if (headers.has(name)) headers.set(name, value);
      return;
    case 'OVERWRITE_IF_EXISTS_OR_ADD':
      headers.set(name, value);
      return;
    default:
      headers.append(name, value);
  }
}

/** Runs `edits` in order; undefined if there are none. */
export function chainEdits(edits: readonly (HeaderEdit | undefined)[]): HeaderEdit | undefined {
  const present = edits.filter((edit) => edit !== undefined);
  if (present.length <= 1) return present[0];
  return (headers, info) => {
    for (const edit of present) edit(headers, info);
  };
}
