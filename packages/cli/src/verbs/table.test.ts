import type { Table } from '@flotilla/api';
import test from 'ava';
import { TablePrinter } from './table.js';

const column = (name: string, priority = 0) => ({ name, type: 'string', format: '', description: '', priority });

const table = (...rows: unknown[][]): Table =>
  ({
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: {},
    columnDefinitions: [column('Name'), column('Ready'), column('Node', 1), column('Age')],
    rows: rows.map((cells) => ({
      cells,
      object: { metadata: { name: String(cells[0]), namespace: 'shop', labels: { b: '2', a: '1' } } },
    })),
  }) as Table;

test('columns are three wider than their widest cell, six at least; the last is not padded', (t) => {
  t.deepEqual(new TablePrinter().lines(table(['a-long-name', '1/1', 'n1', '5s'], ['b', 1, 'n2', '10m'])), [
    'NAME          READY   AGE',
    'a-long-name   1/1     5s',
    'b             1       10m',
  ]);
});

test('wide shows columns of lower priority', (t) => {
  const [header, row] = new TablePrinter({ wide: true }).lines(table(['a', '1/1', 'n1', '5s']));
  t.is(header, 'NAME   READY   NODE   AGE');
  t.is(row, 'a      1/1     n1     5s');
});

test('namespaces, labels, kinds; no headers', (t) => {
  const printer = new TablePrinter({ withNamespace: true, showLabels: true, kind: 'deployment.apps' });
  t.deepEqual(printer.lines(table(['a', '1/1', '', '5s'])), [
    'NAMESPACE   NAME                READY   AGE   LABELS',
    'shop        deployment.apps/a   1/1     5s    a=1,b=2',
  ]);
  t.deepEqual(new TablePrinter({ noHeaders: true }).lines(table(['a', '1/1', '', '5s'])), ['a     1/1   5s']);
});

test('a watch’s later rows stay in line, without another header', (t) => {
  const printer = new TablePrinter();
  t.is(printer.lines(table(['a-long-name', '0/1', '', '1s'])).length, 2);
  t.deepEqual(printer.lines({ ...table(['b', '1/1', '', '2s']), columnDefinitions: [] }), ['b             1/1     2s']);
  t.deepEqual(printer.lines(table(['an-even-longer-name', '1/1', '', '2s'])), ['an-even-longer-name   1/1     2s']);
});

test('cells are one line without control sequences; an absent one is empty', (t) => {
  t.deepEqual(
    new TablePrinter({ noHeaders: true }).lines(table(['a', 'one\ntwo', '', '\u001b[31m'], ['b', null, '', 3])),
    ['a     one...   ^[[31m', 'b              3'],
  );
});
