// The map: places, colors, zoom, pictures.
'use strict';
const assert = require('assert');
const {still, state, placeOf, pixel, lonePoints, choose} = require('../actions.js');

const positions = page => page.evaluate(() => [...dlvizReport.standing.keys()].map(i => dlvizReport.position(i)));

// The page has a map's numbers moved and scaled alike in both directions, to 16 bits; few at the border are cut.
async function compareMap(page, run, map) {
  const shown = await positions(page),
    wanted = shown.map((_, i) => run.point(map, i));
  const inside = [...shown.keys()].filter(i => shown[i].every(value => value > 0.001 && value < 0.999));
  assert(inside.length >= 0.995 * run.n, `${run.n - inside.length} points lie at the border`);
  const means = [0, 1].map(axis => [shown, wanted].map(all => inside.reduce((sum, i) => sum + all[i][axis], 0) / inside.length));
  let products = 0,
    squares = 0;
  for (const i of inside) {
    for (const axis of [0, 1]) {
      products += (shown[i][axis] - means[axis][0]) * (wanted[i][axis] - means[axis][1]);
      squares += (wanted[i][axis] - means[axis][1]) ** 2;
    }
  }
  const scale = products / squares;
  assert(scale > 0);
  for (const i of inside) {
    for (const axis of [0, 1]) {
      const expected = means[axis][0] + scale * (wanted[i][axis] - means[axis][1]);
      assert(Math.abs(shown[i][axis] - expected) < 2e-5, `point ${i} is at ${shown[i][axis]} instead of ${expected}`);
    }
  }
}

const distinct = (a, b) => Math.max(...[0, 1, 2].map(k => Math.abs(a[k] - b[k])));

// Points of one kind have one color, those of different kinds different ones. `kindOf` may give null: any color.
async function compareColors(page, kindOf) {
  const colors = new Map(),
    lone = await lonePoints(page, 7, 400);
  assert(lone.length > 40, `only ${lone.length} points stand alone`);
  for (const i of lone) {
    const [x, y] = await page.evaluate(which => dlvizReport.place(which), i),
      kind = kindOf(i);
    if (kind === null) continue;
    const color = await pixel(page, '#points', x, y);
    if (!colors.has(kind)) colors.set(kind, []);
    colors.get(kind).push(color);
  }
  assert(colors.size > 1);
  const typical = new Map();
  for (const [kind, all] of colors) {
    const most = all.find(color => all.filter(other => distinct(color, other) < 8).length >= 0.9 * all.length);
    assert(most, `points of kind ${kind} have many colors: ${all.slice(0, 5).join(' | ')}`);
    typical.set(kind, most);
  }
  for (const [a, first] of typical) {
    for (const [b, second] of typical) assert(a === b || distinct(first, second) > 12, `kinds ${a} and ${b} look alike`);
  }
}

// Among all of a run's points, so that no class name is in the way.
async function openWithoutNames({open}, color) {
  const page = await open(null, {hash: `#color=${color}`});
  await page.evaluate(() => {
    const context = document.getElementById('points').getContext('2d');
    context.fillText = context.strokeText = () => {};
    dlvizReport.draw();
  });
  return page;
}

module.exports = {
  'the points of t-SNE lie where tsne.npy has them': async ({open, run}) => compareMap(await open(), run, 't-SNE'),

  'those of PCA as in pca.npy, after a moment of moving': async ({open, run}) => {
    const page = await open();
    await choose(page, 'map', 'PCA');
    await compareMap(page, run, 'PCA');
    await choose(page, 'map', 't-SNE');
    await compareMap(page, run, 't-SNE');
  },

  'each point is painted at its place': async ({open, run}) => {
    const page = await open(null, {hash: '#color=errors'}),
      box = await page.locator('#overlay').boundingBox();
    for (let i = 0; i < run.n; i += Math.ceil(run.n / 300)) {
      const [x, y] = await page.evaluate(which => dlvizReport.place(which), i);
      if (x < 6 || y < 6 || x > box.width - 6 || y > box.height - 6) continue;
      const color = await pixel(page, '#points', x, y);
      assert(distinct(color, [255, 255, 255]) > 40, `nothing at point ${i}`);
    }
  },

  'colors: true class': async context => compareColors(await openWithoutNames(context, 'class'), i => context.run.labels[i]),

  'colors: predicted class': async context =>
    compareColors(await openWithoutNames(context, 'prediction'), i => context.run.said[i]),

  'colors: errors': async context => {
    const page = await openWithoutNames(context, 'errors');
    await compareColors(page, i => context.run.said[i] !== context.run.labels[i]);
  },

  'colors: confidence': async context => {
    const step = value => Math.max(0, Math.min(5, 5 - Math.round(Math.cbrt(1 - value) * 5.6)));
    const sure = i => step(context.run.confidence[i] - 0.003) === step(Math.min(1, context.run.confidence[i] + 0.003));
    await compareColors(await openWithoutNames(context, 'confidence'), i =>
      sure(i) ? step(Math.round(context.run.confidence[i] * 255) / 255) : null
    );
  },

  'colors: neighbors of its class': async context => {
    const {run} = context,
      own = i => {
        const distances = run.distances(i),
          k = 10,
          nearest = [...distances.keys()].sort((a, b) => distances[a] - distances[b]).slice(0, k);
        return Math.round((5 * nearest.filter(j => run.labels[j] === run.labels[i]).length) / k);
      };
    const page = await openWithoutNames(context, 'neighbors'),
      lone = (await lonePoints(page, 7, 400)).slice(0, 90),
      kinds = new Map(lone.map(i => [i, own(i)]));
    await compareColors(page, i => (kinds.has(i) ? kinds.get(i) : null));
  },

  'the legend has the colors of the map': async context => {
    const page = await openWithoutNames(context, 'class'),
      {run} = context;
    const lone = (await lonePoints(page, 7, 400)).slice(0, 60);
    for (const i of lone) {
      const [x, y] = await page.evaluate(which => dlvizReport.place(which), i),
        color = await pixel(page, '#points', x, y);
      const legend = await page.evaluate(
        c => getComputedStyle(document.querySelector(`#legend [data-class="${c}"] path`)).fill,
        run.labels[i]
      );
      const full = legend.match(/[\d.]+/g).map(Number),
        blended = full.map(value => 0.9 * value + 0.1 * 255);
      assert(distinct(color, blended) < 4, `point ${i}: ${color}, legend ${legend}`);
    }
  },

  'the wheel zooms about the pointer, + and - about the middle, and Fit returns': async ({open}) => {
    const page = await open(),
      [x, y] = await placeOf(page, 7),
      before = await page.evaluate('({...dlvizReport.view})');
    await page.mouse.move(x, y);
    for (let k = 0; k < 4; k++) await page.mouse.wheel(0, -200);
    await page.waitForTimeout(100);
    const after = await page.evaluate('dlvizReport.view.scale'),
      [nowX, nowY] = await placeOf(page, 7);
    // The wheel's place is known to a pixel only, which grows too.
    const grown = after / before.scale;
    assert(grown > 2 && Math.hypot(nowX - x, nowY - y) < 1.5 * grown, `${x}, ${y} went to ${nowX}, ${nowY} at ${after}`);
    await page.click('#closer');
    await page.waitForTimeout(60);
    assert(Math.abs((await page.evaluate('dlvizReport.view.scale')) / after - 1.5) < 1e-6);
    await page.click('#farther');
    await page.click('#farther');
    await page.waitForTimeout(60);
    assert(Math.abs((await page.evaluate('dlvizReport.view.scale')) / after - 1 / 1.5) < 1e-6);
    await page.click('#fit');
    assert.deepStrictEqual(await page.evaluate('({...dlvizReport.view})'), before);
    assert.strictEqual(await state(page, 'home'), true);
  },

  'dragging moves the map with the pointer': async ({open}) => {
    const page = await open(),
      [x, y] = await placeOf(page, 3),
      box = await page.locator('#overlay').boundingBox();
    const fromX = box.x + box.width / 2,
      fromY = box.y + box.height / 2;
    await page.mouse.move(fromX, fromY);
    await page.mouse.down();
    await page.mouse.move(fromX + 30, fromY + 10, {steps: 3});
    await page.mouse.move(fromX + 80, fromY - 40, {steps: 5});
    await page.mouse.up();
    await page.waitForTimeout(60);
    const [nowX, nowY] = await placeOf(page, 3);
    assert(Math.hypot(nowX - x - 80, nowY - y + 40) < 1, `moved by ${nowX - x}, ${nowY - y}`);
    assert.strictEqual(await state(page, 'point'), -1);
  },

  'two fingers zoom': async ({open}) => {
    const page = await open(null, {hasTouch: true}),
      session = await page.context().newCDPSession(page);
    const box = await page.locator('#overlay').boundingBox(),
      x = box.x + box.width / 2,
      y = box.y + box.height / 2;
    const touch = (type, gap) =>
      session.send('Input.dispatchTouchEvent', {
        type,
        touchPoints: gap
          ? [
              {x: x - gap, y, id: 1},
              {x: x + gap, y, id: 2},
            ]
          : [],
      });
    const before = await page.evaluate('dlvizReport.view.scale');
    await touch('touchStart', 40);
    for (const gap of [60, 80, 100, 120]) await touch('touchMove', gap);
    await touch('touchEnd', 0);
    await page.waitForTimeout(100);
    const ratio = (await page.evaluate('dlvizReport.view.scale')) / before;
    assert(ratio > 2.5 && ratio < 3.5, `${ratio}`);
  },

  'close by, points are pictures of their images, one a place': async ({open, run, images}) => {
    const page = await open();
    await page.evaluate(() => {
      dlvizReport.state.home = false;
      const [x, y] = dlvizReport.position(5);
      Object.assign(dlvizReport.view, {scale: 12, x, y: 1 - y});
      dlvizReport.draw();
    });
    const tiles = await page.evaluate('dlvizReport.tiles'),
      size = await page.evaluate('dlvizReport.tileSize');
    assert(tiles.length > 2, `${tiles.length} pictures`);
    const box = await page.locator('#overlay').boundingBox();
    let looked = 0;
    for (const i of tiles) {
      const [x, y] = await page.evaluate(which => dlvizReport.place(which), i);
      if (x < size || y < size || x > box.width - size || y > box.height - size) continue;
      assert((await likeness(page, i, size, images)) > 0.9, `the picture at point ${i} is not its image`);
      if (++looked > 20) break;
    }
    assert(looked > 1);
    const places = await page.evaluate(which => which.map(i => dlvizReport.place(i)), tiles);
    for (let a = 0; a < places.length; a++) {
      for (let b = 0; b < a; b++) {
        const apart = Math.max(...[0, 1].map(axis => Math.abs(places[a][axis] - places[b][axis])));
        assert(apart > size - 2, `pictures of ${tiles[a]} and ${tiles[b]} overlap`);
      }
    }
  },

  'pictures of misclassified images are framed': async ({open, run}) => {
    const page = await open(null, {hash: '#color=class'});
    await page.evaluate(which => {
      dlvizReport.state.home = false;
      const [x, y] = dlvizReport.position(which);
      Object.assign(dlvizReport.view, {scale: 60, x, y: 1 - y});
      dlvizReport.draw();
    }, run.wrong[0]);
    const tiles = await page.evaluate('dlvizReport.tiles'),
      size = await page.evaluate('dlvizReport.tileSize'),
      box = await page.locator('#overlay').boundingBox();
    assert(tiles.includes(run.wrong[0]));
    for (const i of tiles.slice(0, 12)) {
      const [x, y] = (await page.evaluate(which => dlvizReport.place(which), i)).map(Math.round);
      if (x < size || y < size || x > box.width - size || y > box.height - size) continue;
      const color = await pixel(page, '#points', x - size / 2 - 1, y),
        red = color[0] > 120 && color[1] < 90 && color[2] < 90;
      assert.strictEqual(red, run.said[i] !== run.labels[i], `point ${i} has ${color} beside it`);
    }
  },
};

// The correlation of what is drawn at a point with its image.
async function likeness(page, i, size, images) {
  const drawn = await page.evaluate(
    ([which, wide]) => {
      const canvas = document.getElementById('points'),
        [x, y] = dlvizReport.place(which).map(Math.round),
        half = wide / 2;
      return [...canvas.getContext('2d').getImageData(x - half, y - half, wide, wide).data].filter((_, k) => k % 4 === 1);
    },
    [i, size]
  );
  const pairs = [],
    {width, height, pixels} = images;
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const sourceX = Math.floor(((x + 0.5) * width) / size),
        sourceY = Math.floor(((y + 0.5) * height) / size);
      pairs.push([255 - drawn[y * size + x], pixels[i * width * height + sourceY * width + sourceX]]);
    }
  }
  const mean = k => pairs.reduce((sum, pair) => sum + pair[k], 0) / pairs.length,
    [a, b] = [mean(0), mean(1)];
  const sum = (j, k) => pairs.reduce((total, pair) => total + (pair[j] - [a, b][j]) * (pair[k] - [a, b][k]), 0);
  return sum(0, 1) / Math.sqrt(sum(0, 0) * sum(1, 1));
}
