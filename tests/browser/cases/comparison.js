// Several runs in a page.
'use strict';
const assert = require('assert');
const {skip, still, state, text, selected, galleryPoints, matrix, pointAt, lonePoints} = require('../actions.js');

async function openIndex({open, index, runs}, options) {
  if (!index || runs.length < 2) skip('there is no page of several runs');
  const page = await open(index, options);
  assert.strictEqual(await page.evaluate('dlvizReport.runs.length'), runs.length);
  return page;
}

const changed = (wrong, right) => wrong.wrong.filter(i => right.said[i] === right.labels[i]);

module.exports = {
  'the best run is shown first; others can be chosen': async context => {
    const page = await openIndex(context),
      {runs} = context,
      best = Math.max(...runs.map(run => run.accuracy));
    assert(Math.abs(runs[await state(page, 'run')].accuracy - best) < 1e-9);
    for (let k = 0; k < runs.length; k++) {
      await page.selectOption('#run', String(k));
      await still(page);
      assert.strictEqual(await state(page, 'run'), k);
      assert.deepStrictEqual(await matrix(page, runs[k].numClasses), runs[k].confusion());
      assert(
        (await text(page, '#headline')).replace(/\s+/g, ' ').includes(`errors ${runs[k].wrong.length.toLocaleString('en-US')}`)
      );
    }
  },

  'a map beside the other for each run, with its accuracy': async context => {
    const page = await openIndex(context),
      {runs} = context;
    assert.strictEqual(await page.locator('#comparison figure').count(), runs.length);
    for (let k = 0; k < runs.length; k++) {
      const caption = await text(page, `#comparison figure:nth-child(${k + 1}) figcaption`);
      assert(caption.includes((100 * runs[k].accuracy).toFixed(2)), caption);
      const ink = await page.evaluate(which => {
        const canvas = document.querySelectorAll('#comparison figure canvas[role=img]')[which];
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        return data.filter((value, at) => at % 4 === 0 && value < 200).length;
      }, k);
      assert(ink > 1000, `${ink} pixels have color`);
    }
    await page.click('#comparison figure:nth-child(1) button');
    assert.strictEqual(await state(page, 'run'), 0);
  },

  'what is pointed at is ringed in all': async context => {
    const page = await openIndex(context, {viewport: {width: 1500, height: 1900}}),
      point = (await lonePoints(page, 6, 1))[0];
    await pointAt(page, point);
    const marks = await page.evaluate(
      which =>
        [...document.querySelectorAll('#comparison figure')].map((figure, k) => {
          const canvas = figure.querySelectorAll('canvas')[1],
            map = dlvizReport.runs[k].last.maps[0]();
          const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
          let x = 0,
            y = 0,
            count = 0;
          for (let at = 0; at < data.length / 4; at++) {
            if (data[4 * at + 3] === 0) continue;
            x += at % canvas.width;
            y += Math.floor(at / canvas.width);
            count++;
          }
          return [x / count / canvas.width, y / count / canvas.height, map[2 * which] / 65535, 1 - map[2 * which + 1] / 65535];
        }),
      point
    );
    for (const [x, y, mapX, mapY] of marks) {
      assert(
        Math.abs(x - (0.02 + 0.96 * mapX)) < 0.012 && Math.abs(y - (0.02 + 0.96 * mapY)) < 0.012,
        `ring at ${x}, ${y}, point at ${mapX}, ${mapY}`
      );
    }
  },

  'small maps can be pointed at and clicked': async context => {
    const page = await openIndex(context),
      canvas = page.locator('#comparison figure:nth-child(1) canvas').nth(1);
    await canvas.scrollIntoViewIfNeeded();
    const box = await canvas.boundingBox();
    const point = await page.evaluate(() => {
      const map = dlvizReport.runs[0].last.maps[0]();
      return [...Array(500).keys()].find(
        i => map[2 * i] > 3000 && map[2 * i] < 62000 && map[2 * i + 1] > 3000 && map[2 * i + 1] < 62000
      );
    });
    const [x, y] = await page.evaluate(i => {
      const map = dlvizReport.runs[0].last.maps[0]();
      return [0.02 + (0.96 * map[2 * i]) / 65535, 0.02 + 0.96 * (1 - map[2 * i + 1] / 65535)];
    }, point);
    await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
    const chosen = await state(page, 'point'),
      far = await page.evaluate(
        ([a, b]) => {
          const map = dlvizReport.runs[0].last.maps[0]();
          return Math.hypot(map[2 * a] - map[2 * b], map[2 * a + 1] - map[2 * b + 1]) / 65535;
        },
        [chosen, point]
      );
    assert(far * box.width < 2, `${chosen} instead of ${point}`);
  },

  'wrong in one, right in the other: counted and selected': async context => {
    const page = await openIndex(context),
      {runs} = context;
    for (let a = 0; a < runs.length; a++) {
      for (let b = 0; b < runs.length; b++) {
        if (a === b) continue;
        const button = page.locator(`#changes button[data-pair="${a} ${b}"]`),
          wanted = changed(runs[a], runs[b]);
        assert.strictEqual(Number((await button.locator('b').innerText()).replace(/\D/g, '')), wanted.length);
        await button.click();
        assert.deepStrictEqual(await selected(page), wanted);
        assert.strictEqual(await button.getAttribute('aria-pressed'), 'true');
        const shown = await galleryPoints(page);
        assert(shown.length === Math.min(60, wanted.length) && shown.every(i => wanted.includes(i)));
      }
    }
  },

  'a table of the runs’ measures': async context => {
    const page = await openIndex(context),
      {runs} = context;
    const rows = await page.evaluate(() =>
      [...document.querySelectorAll('#comparison-measures tr')].map(row => [...row.children].map(cell => cell.textContent))
    );
    const accuracy = rows.find(row => /^(test )?accuracy$/i.test(row[0]));
    runs.forEach((run, k) => assert(Math.abs(parseFloat(accuracy[k + 1]) - 100 * run.accuracy) < 0.0051, accuracy.join(' | ')));
  },

  'the point and the selection stay when the run changes': async context => {
    const page = await openIndex(context);
    await page.evaluate(() => {
      selectPoint(11);
      selectCell(2, -1);
    });
    await page.selectOption('#run', '0');
    assert.strictEqual(await state(page, 'point'), 11);
    assert.deepStrictEqual(await state(page, 'cell'), [2, -1]);
  },
};
