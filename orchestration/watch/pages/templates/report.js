"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const whole = d3.format(",d");
  const short = (n) => d3.format(n >= 1000 ? ".3~s" : ",d")(n).replace("G", "B");
  const took = (s) => (s < 60 ? `${s.toFixed(s < 1 ? 2 : 1)} s` : `${Math.floor(s / 60)} min ${Math.round(s % 60)} s`);
  const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
  const colours = {
    extract: "bronze",
    load: "load",
    validate: "gate",
    publish: "three",
    staging: "staging",
    silver: "silver",
    gold: "gold",
    trouble: "bad",
  };
  const paint = (name) => `var(--${colours[name] ?? "idle"})`;

  // Bars that overlap get lines of their own; returns how many there are.
  function pack(bars) {
    const ends = [];
    for (const bar of bars) {
      let line = ends.findIndex((end) => end <= bar.began);
      if (line < 0) line = ends.push(0) - 1;
      ends[line] = bar.ended;
      bar.line = line;
    }
    return ends.length;
  }

  function timeline(width) {
    const narrow = width < 560;
    const lanes = d3.groups(data.timeline, (d) => `${d.lanes} ${d.lane}`);
    const tables = lanes.filter(([, bars]) => bars[0].lanes === "table");
    const layers = lanes.filter(([, bars]) => bars[0].lanes === "dbt");
    const order = ["staging", "silver", "work", "gold", "quality", "serving"];
    layers.sort(d3.ascending);
    layers.sort((a, b) => d3.ascending(order.indexOf(a[1][0].lane), order.indexOf(b[1][0].lane)));
    const slowest = new Set(
      d3.sort(tables, ([, bars]) => -d3.sum(bars, (d) => d.ended - d.began)).slice(0, 24).map(([key]) => key),
    );
    const shown = [...tables.filter(([key]) => slowest.has(key)), ...layers];
    const bars = [];
    const labels = [];
    const left = narrow ? 112 : 150;
    let y = 0;
    for (const [, lane] of shown) {
      const isTable = lane[0].lanes === "table";
      const lines = isTable ? 1 : pack(lane);
      const high = isTable ? 14 : Math.max(7, Math.min(12, 60 / lines));
      const tall = Math.max(16, lines * high);
      labels.push({ y: y + tall / 2, name: lane[0].lane, text: cut(lane[0].lane, narrow ? 16 : 21) });
      for (const bar of lane) {
        const top = y + (isTable ? 1 : bar.line * high);
        bars.push({ ...bar, y1: top, y2: top + high - 1.5 });
      }
      y += tall + 8;
    }
    const end = Math.max(data.run.seconds, d3.max(bars, (d) => d.ended));
    const left_out = tables.length - slowest.size;
    const chart = Plot.plot({
      width,
      height: y + 46,
      marginLeft: left,
      marginRight: 12,
      marginTop: 6,
      marginBottom: 34,
      x: { domain: [0, end], label: null, tickFormat: (s) => `${s} s`, ticks: narrow ? 4 : 8, grid: true },
      y: { domain: [y, 0], axis: null },
      marks: [
        Plot.rect(bars, {
          x1: "began",
          x2: (d) => Math.max(d.ended, d.began + end / 600),
          y1: "y1",
          y2: "y2",
          fill: (d) => paint(d.part),
          rx: 2,
        }),
        Plot.text(labels, {
          x: 0,
          y: "y",
          text: "text",
          title: "name",
          textAnchor: "end",
          dx: -10,
          fill: "var(--ink)",
        }),
        Plot.tip(
          bars,
          Plot.pointer({
            x: (d) => (d.began + d.ended) / 2,
            y: (d) => (d.y1 + d.y2) / 2,
            title: (d) => `${d.name}\n${d.part === d.state ? "" : `${d.part}: `}${d.state}\n${took(d.ended - d.began)}, from ${took(d.began)}`,
          }),
        ),
      ],
    });
    if (!left_out) return chart;
    const note = document.createElement("p");
    note.className = "soft";
    note.textContent = `The ${slowest.size} slowest tables are shown; ${left_out} more were moved.`;
    const both = document.createElement("div");
    both.append(chart, note);
    return both;
  }

  // The tables with the most rows, then the rest as one.
  function sources(limit) {
    const tables = d3.sort(data.flow.filter((d) => d.read + d.deleted > 0), (d) => -d.read);
    if (tables.length <= limit) return tables;
    const rest = tables.slice(limit - 1);
    const sum = (name, rows = rest) => d3.sum(rows, (d) => d[name]);
    return [
      ...tables.slice(0, limit - 1),
      {
        table: `${rest.length} more tables`,
        read: sum("read"),
        written: sum("written"),
        unchanged: sum("unchanged"),
        rejected: sum("rejected"),
        deleted: sum("deleted"),
      },
    ];
  }

  function flow(width) {
    const narrow = width < 560;
    const all = (name, rows = data.flow) => d3.sum(rows, (d) => d[name]);
    const held = data.flow.filter((d) => ["rejected", "superseded"].includes(d.state));
    const passed = data.flow.filter((d) => d.state === "released");
    const loaded = (rows) => all("written", rows) + all("deleted", rows);
    const waiting = loaded(data.flow) - loaded(held) - loaded(passed);
    const links = [
      ...(narrow ? [] : sources(10).map((d) => [`table ${d.table}`, "read", d.read])),
      ["read", "written", all("written")],
      ["read", "unchanged", all("unchanged")],
      ["read", "rejected", all("rejected")],
      ["deleted", "log", all("deleted")],
      ["written", "log", all("written")],
      ["log", "released", loaded(passed)],
      ["log", "blocked", loaded(held)],
      ["log", "waiting", waiting],
    ].filter(([, , value]) => value > 0);
    const names = {
      read: "read",
      written: "written",
      unchanged: "unchanged",
      rejected: "rejected",
      deleted: "deletes",
      log: "in the log",
      released: "released",
      blocked: "blocked",
      waiting: "not decided",
    };
    const fills = {
      read: "var(--bronze)",
      written: "var(--staging)",
      unchanged: "var(--idle)",
      rejected: "var(--bad)",
      deleted: "var(--gate)",
      log: "var(--bronze)",
      released: "var(--good)",
      blocked: "var(--bad)",
      waiting: "var(--gold)",
    };
    const nodes = [...new Set(links.flatMap(([a, b]) => [a, b]))].map((id) => ({ id }));
    const tables = nodes.filter((d) => d.id.startsWith("table ")).length;
    const height = Math.max(narrow ? 260 : 280, tables * 34);
    const left = narrow ? 0 : 190;
    const graph = d3
      .sankey()
      .nodeId((d) => d.id)
      .nodeWidth(10)
      .nodePadding(narrow ? 26 : 18)
      .nodeSort(null)
      .extent([
        [left, 14],
        [width - (narrow ? 84 : 120), height - 14],
      ])({ nodes, links: links.map(([source, target, value]) => ({ source, target, value })) });
    const svg = d3.create("svg").attr("viewBox", [0, 0, width, height]).attr("width", width).attr("height", height).attr("role", "img");
    svg
      .append("g")
      .attr("fill", "none")
      .selectAll("path")
      .data(graph.links)
      .join("path")
      .attr("d", d3.sankeyLinkHorizontal())
      .attr("stroke-width", (d) => Math.max(1, d.width))
      .style("stroke", (d) => fills[d.target.id] ?? "var(--idle)")
      .attr("stroke-opacity", 0.32)
      .append("title")
      .text((d) => `${d.source.id.replace(/^table /, "")} → ${names[d.target.id]}: ${whole(d.value)} rows`);
    const node = svg.append("g").selectAll("g").data(graph.nodes).join("g");
    node
      .append("rect")
      .attr("x", (d) => d.x0)
      .attr("y", (d) => d.y0)
      .attr("width", (d) => d.x1 - d.x0)
      .attr("height", (d) => Math.max(1.5, d.y1 - d.y0))
      .attr("rx", 2)
      .style("fill", (d) => fills[d.id] ?? "var(--bronze)");
    const label = node
      .append("text")
      .attr("x", (d) => (d.id.startsWith("table ") ? d.x0 - 8 : d.x1 + 7))
      .attr("y", (d) => (d.y0 + d.y1) / 2)
      .attr("dy", (d) => (d.id.startsWith("table ") ? "0.35em" : "-0.15em"))
      .attr("text-anchor", (d) => (d.id.startsWith("table ") ? "end" : "start"))
      .style("fill", "var(--ink)");
    label
      .append("tspan")
      .attr("font-weight", (d) => (d.id.startsWith("table ") ? null : 600))
      .text((d) => (d.id.startsWith("table ") ? `${cut(d.id.slice(6), 19)} ` : names[d.id]));
    label
      .append("tspan")
      .attr("x", (d) => (d.id.startsWith("table ") ? null : d.x1 + 7))
      .attr("dy", (d) => (d.id.startsWith("table ") ? null : "1.2em"))
      .style("fill", "var(--soft)")
      .text((d) => (narrow ? short(d.value) : whole(d.value)));
    return svg.node();
  }

  function history(width) {
    const narrow = width < 560;
    const runs = data.history.map((d, i) => ({ ...d, number: i, at: new Date(d.started_at) }));
    const fill = { done: "var(--good)", blocked: "var(--bad)", failed: "var(--bad)" };
    return Plot.plot({
      width,
      height: 150,
      marginLeft: 44,
      marginRight: 4,
      marginBottom: 26,
      x: {
        label: null,
        type: "band",
        domain: d3.range(Math.max(runs.length, 12)),
        padding: 0.25,
        ticks: runs.filter((d, i) => (runs.length - 1 - i) % (narrow ? 6 : 3) === 0).map((d) => d.number),
        tickFormat: (i) => d3.utcFormat("%H:%M")(runs[i].at),
        tickSize: 0,
      },
      y: { label: null, grid: true, ticks: 3, tickFormat: (s) => `${s} s` },
      marks: [
        Plot.barY(runs, {
          x: "number",
          y: "seconds",
          fill: (d) => fill[d.state] ?? "var(--gold)",
          rx: 2,
          tip: true,
          channels: {},
          title: (d) => `${d.command}: ${d.state}\n${d3.utcFormat("%Y-%m-%d %H:%M")(d.at)}, ${took(d.seconds)}\n${whole(d.rows_read)} rows read, ${whole(d.rows_written)} written`,
        }),
        Plot.ruleY([0], { stroke: "var(--line)" }),
      ],
    });
  }

  function revenue(width) {
    const rows = data.gold.revenue.map((d) => ({ ...d, day: new Date(d.day) }));
    const books = d3.groups(rows, (d) => d.currency);
    books.sort((a, b) => d3.descending(d3.sum(a[1], (d) => d.revenue), d3.sum(b[1], (d) => d.revenue)));
    const columns = width < 560 ? 1 : books.length;
    const whole_chart = document.createElement("div");
    whole_chart.style.cssText = `display: grid; gap: 16px; grid-template-columns: repeat(${columns}, 1fr)`;
    books.forEach(([currency, days], i) => {
      const colour = ["var(--one)", "var(--two)", "var(--three)"][i];
      const title = document.createElement("strong");
      title.textContent = currency;
      const total = document.createElement("span");
      total.className = "soft";
      total.textContent = ` ${short(d3.sum(days, (d) => d.revenue))} in ${days.length} days`;
      const part = document.createElement("div");
      part.append(
        title,
        total,
        Plot.plot({
          width: (width - 16 * (columns - 1)) / columns,
          height: 170,
          marginLeft: 42,
          marginRight: 8,
          x: { label: null, type: "utc", ticks: 4 },
          y: { label: null, grid: true, ticks: 4, tickFormat: short, zero: true },
          marks: [
            Plot.rectY(days, { x: "day", y: "revenue", interval: "day", fill: colour, fillOpacity: 0.28, inset: 0 }),
            Plot.lineY(days, { x: "day", y: "mean_revenue", stroke: colour, strokeWidth: 2 }),
            Plot.tip(
              days,
              Plot.pointerX({
                x: "day",
                y: "revenue",
                title: (d) => `${d3.utcFormat("%Y-%m-%d")(d.day)}\n${whole(Math.round(d.revenue))} ${currency}\nmean of seven days ${whole(Math.round(d.mean_revenue))}`,
              }),
            ),
          ],
        }),
      );
      whole_chart.append(part);
    });
    return whole_chart;
  }

  function customers(width) {
    const months = data.gold.customers.flatMap((d) => [
      { month: new Date(d.month), kind: "returning", customers: d.returning_customers },
      { month: new Date(d.month), kind: "new", customers: d.new_customers },
    ]);
    return Plot.plot({
      width,
      height: 250,
      marginLeft: 42,
      marginRight: 4,
      x: { label: null, type: "band", tickFormat: d3.utcFormat(data.gold.customers.length > 8 ? "%b" : "%b %y"), tickSize: 0, padding: 0.25 },
      y: { label: null, grid: true, ticks: 4, tickFormat: short },
      color: { domain: ["new", "returning"], range: ["var(--one)", "var(--two)"], legend: true },
      marks: [
        Plot.barY(months, {
          x: "month",
          y: "customers",
          fill: "kind",
          order: ["new", "returning"],
          rx: 2,
          tip: { format: { x: d3.utcFormat("%B %Y"), y: whole } },
        }),
        Plot.ruleY([0], { stroke: "var(--line)" }),
      ],
    });
  }

  function retention(width) {
    const month = d3.utcFormat("%b %y");
    const cohorts = data.gold.retention.map((d) => ({ ...d, cohort: month(new Date(d.cohort)) }));
    const later = cohorts.filter((d) => d.months_since > 0);
    const most = d3.max(later, (d) => d.rate) ?? 1;
    const names = [...new Set(cohorts.map((d) => d.cohort))];
    const share = (rate) => `${Math.round(rate * 100)}%`;
    return Plot.plot({
      width,
      height: 52 + names.length * 38,
      marginLeft: 58,
      marginRight: 4,
      marginTop: 34,
      x: { type: "band", axis: "top", label: "months later", labelAnchor: "left", tickSize: 0, padding: 0.06, domain: d3.range(0, (d3.max(cohorts, (d) => d.months_since) ?? 0) + 1) },
      y: { type: "band", label: null, domain: names, tickSize: 0, padding: 0.1 },
      marks: [
        Plot.cell(cohorts, {
          x: "months_since",
          y: "cohort",
          fill: (d) => (d.months_since ? "var(--one)" : "var(--wash)"),
          fillOpacity: (d) => (d.months_since ? 0.1 + 0.42 * (d.rate / most) : 1),
          rx: 3,
          tip: true,
          title: (d) => `${d.cohort}: ${whole(d.customers)} customers\n${d.months_since} months later: ${share(d.rate)}`,
        }),
        Plot.text(cohorts, {
          x: "months_since",
          y: "cohort",
          text: (d) => (d.months_since ? share(d.rate) : whole(d.customers)),
          fill: "var(--ink)",
        }),
      ],
    });
  }

  function products(width) {
    const narrow = width < 560;
    const rows = data.gold.products.map((d, i) => ({ ...d, number: i }));
    return Plot.plot({
      width,
      height: 16 + rows.length * (narrow ? 44 : 30),
      marginLeft: narrow ? 0 : 230,
      marginRight: 56,
      marginTop: 0,
      marginBottom: 8,
      x: { axis: null, domain: [Math.min(0, d3.min(rows, (d) => d.margin)), d3.max(rows, (d) => d.margin)] },
      y: { type: "band", axis: null, domain: rows.map((d) => d.number), padding: narrow ? 0.6 : 0.35 },
      marks: [
        Plot.barX(rows, {
          x: "margin",
          y: "number",
          fill: "var(--two)",
          rx: 2,
          insetTop: narrow ? 6 : 0,
          insetBottom: narrow ? -6 : 0,
          tip: true,
          title: (d) => `${d.product}\n${d.category ?? ""}\nmargin ${whole(Math.round(d.margin))} of ${whole(Math.round(d.revenue))}`,
        }),
        Plot.text(rows, {
          x: 0,
          y: "number",
          text: (d) => cut(d.product ?? "–", narrow ? 44 : 32),
          textAnchor: narrow ? "start" : "end",
          dx: narrow ? 0 : -10,
          dy: narrow ? -13 : 0,
          fill: "var(--ink)",
        }),
        Plot.text(rows, {
          x: "margin",
          y: "number",
          text: (d) => short(Math.round(d.margin)),
          textAnchor: "start",
          dx: 7,
          dy: narrow ? 6 : 0,
          fill: "var(--soft)",
        }),
      ],
    });
  }

  const charts = { timeline, flow, history, revenue, customers, retention, products };

  function draw(figure) {
    const width = Math.floor(figure.clientWidth);
    if (!width || figure.dataset.width === String(width)) return;
    figure.dataset.width = width;
    figure.replaceChildren(charts[figure.dataset.chart](width));
  }

  const seen = new ResizeObserver((entries) => entries.forEach((entry) => draw(entry.target)));
  for (const figure of document.querySelectorAll("[data-chart]")) {
    draw(figure);
    seen.observe(figure);
  }
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("main details")) details.open = true;
  });
})();
