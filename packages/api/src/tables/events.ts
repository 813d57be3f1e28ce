import type * as core from '../gen/core-v1.js';
import type * as eventsApi from '../gen/events-v1.js';
import { ageOf } from '../time.js';
import { type Cell, column, nameColumn, nameOf, type Printer, wide } from './columns.js';

/** What both forms of events say. */
interface Seen {
  readonly object: core.ObjectReference;
  readonly first: string | undefined;
  readonly last: string | undefined;
  readonly count: number;
  readonly source: string;
  readonly reason: string;
  readonly type: string;
  readonly message: string;
}

function sourceText(
  source: core.EventSource | undefined,
  component: string | undefined,
  instance: string | undefined,
): string {
  const who = source?.component || component || '';
  const where = source?.host || instance || '';
  return where === '' ? who : `${who}, ${where}`;
}

function readCore(event: core.Event): Seen {
  const first = event.firstTimestamp ?? event.eventTime;
  return {
    object: event.involvedObject,
    first,
    last: event.series ? event.series.lastObservedTime : (event.lastTimestamp ?? first),
    count: event.series ? (event.series.count ?? 0) : event.count || 1,
    source: sourceText(event.source, event.reportingComponent, event.reportingInstance),
    reason: event.reason ?? '',
    type: event.type ?? '',
    message: event.message ?? '',
  };
}

function readNew(event: eventsApi.Event): Seen {
  const first = event.deprecatedFirstTimestamp ?? event.eventTime;
  return {
    object: event.regarding,
    first,
    last: event.series ? event.series.lastObservedTime : (event.deprecatedLastTimestamp ?? first),
    count: event.series ? event.series.count : event.deprecatedCount || 1,
    source: sourceText(event.deprecatedSource, event.reportingController, event.reportingInstance),
    reason: event.reason ?? '',
    type: event.type ?? '',
    message: event.note ?? '',
  };
}

function cells(name: string, seen: Seen, now: number): Cell[] {
  const kind = (seen.object.kind ?? '').toLowerCase();
  return [
    ageOf(seen.last, now),
    seen.type,
    seen.reason,
    seen.object.name ? `${kind}/${seen.object.name}` : kind,
    seen.object.fieldPath ?? '',
    seen.source,
    seen.message.trim(),
    ageOf(seen.first, now),
    seen.count,
    name,
  ];
}

const columns = [
  column('Last Seen', 'string', 'The time since the event was last seen.'),
  column('Type', 'string', 'Normal or Warning.'),
  column('Reason', 'string', 'Why it happened, in one word.'),
  column('Object', 'string', 'The object it happened to.'),
  wide('Subobject', 'string', 'The part of the object it happened to.'),
  wide('Source', 'string', 'Who reports it.'),
  column('Message', 'string', 'What happened.'),
  wide('First Seen', 'string', 'The time since the event was first seen.'),
  wide('Count', 'string', 'How often it happened.'),
  { ...nameColumn, priority: 1 },
];

export const coreEventPrinter: Printer = {
  columns,
  cells: (event: core.Event, now): Cell[] => cells(nameOf(event), readCore(event), now),
};

export const eventPrinter: Printer = {
  columns,
  cells: (event: eventsApi.Event, now): Cell[] => cells(nameOf(event), readNew(event), now),
};
