#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause

# Draws the output of util/dashboard.pl: dashboard-svg.pl FILE >PICTURE.  Knows
# the panels of conf-examples/grafana-dashboard.json, not all of Grafana's.

use strict;
use warnings;

use JSON::PP;
use List::Util qw(max min sum);
use POSIX qw(ceil floor);

my ($column, $row, $head, $gap) = (60, 34, 46, 8);      # pixels

my @colors = map { "#$_" } qw(
    3274b5 e0752d 3f9b4f c0392b 8457a8 b08d17 19a5a5 d6589f
    7b6149 8aa82d 5b6f8c e29c8b 58508d);
my %background = (green => '#3f9b4f', orange => '#e0852d', red => '#c0392b');

open my $fh, '<', $ARGV[0] or die "$ARGV[0]: $!\n";
my $board = decode_json(do { local $/; <$fh> });
my $seconds = $board->{to} - $board->{from};


# Text and shapes

sub escaped {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');

    return $text =~ s/([&<>])/$entity{$1}/gr;
}

sub text {
    my ($x, $y, $text, %style) = @_;
    my %attr = ('font-size' => 11, fill => '#333', %style);
    my $attr = join ' ', map { "$_=\"$attr{$_}\"" } sort keys %attr;

    printf "<text x=\"%.1f\" y=\"%.1f\" %s>%s</text>\n", $x, $y, $attr,
           escaped($text);
}

sub rect {
    my ($x, $y, $w, $h, %attr) = @_;
    my $attr = join ' ', map { "$_=\"$attr{$_}\"" } sort keys %attr;

    printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" %s/>\n",
           $x, $y, $w, $h, $attr;
}

# Cuts text to a width in pixels of the small font

sub cut {
    my ($text, $width) = @_;
    my $most = int $width / 5.9;

    return length $text > $most ? substr($text, 0, $most - 1) . "\x{2026}"
                                : $text;
}


# Values, in Grafana's units

sub number {
    my ($value, $decimals) = @_;

    return sprintf "%.${decimals}f", $value if defined $decimals;

    my $text = sprintf abs $value >= 100 ? '%.0f' : abs $value >= 10 ? '%.1f'
                                                                     : '%.2f',
                       $value;

    return $text =~ s/(\.\d*?)0+$/$1/r =~ s/\.$//r;
}

sub scaled {
    my ($value, $decimals, @units) = @_;

    while (@units > 2 && abs $value >= $units[2]) {
        splice @units, 0, 2;
    }

    return number($value / $units[0], $decimals) . " $units[1]";
}

sub formatted {
    my ($value, $unit, $decimals) = @_;
    my %suffix = (reqps => ' req/s', cpm => ' cpm', short => '');

    return '' unless defined $value;
    return number(100 * $value, $decimals) . '%' if $unit eq 'percentunit';
    return number($value, $decimals) . $suffix{$unit}
        if exists $suffix{$unit};

    return '0' if $value == 0;
    return scaled($value, $decimals, 1, 'B', 1024, 'KiB', 1024 ** 2, 'MiB')
        if $unit eq 'bytes';
    return scaled($value, $decimals, 0.001, 'ms', 1, 's', 60, 'min', 3600,
                  'h') if $unit eq 's';

    die "no unit $unit\n";
}


# A panel's settings for a field

sub setting {
    my ($panel, $name, $id) = @_;

    for my $override (@{$panel->{fieldConfig}{overrides}}) {
        next unless $override->{matcher}{options} eq $name;
        return $_->{value} for grep { $_->{id} eq $id }
                               @{$override->{properties}};
    }

    return $panel->{fieldConfig}{defaults}{$id};
}

# A panel's series: { name, points => { TIME => VALUE } }

sub series {
    my ($panel) = @_;
    my @series;

    for my $target (@{$panel->{targets}}) {
        for my $result (@{$target->{result}}) {
            my $labels = $result->{metric};
            my $name = $target->{legendFormat}
                       =~ s/\{\{(\w+)\}\}/$labels->{$1} || ''/ger
                       =~ s/^ +| +$//gr;

            push @series, {
                name => $name,
                points => { map { $_->[1] =~ /^[-\d]/ ? @$_ : () }
                            @{$result->{values}} },
            };
        }
    }

    die "panel \"$panel->{title}\" is empty\n"
        unless grep { %{$_->{points}} } @series;

    return @series;
}

sub last_value {
    my ($points) = @_;
    return %$points ? $points->{max keys %$points} : undef;
}


sub stat {
    my ($panel, $x, $y, $w, $h) = @_;
    my ($series) = series($panel);
    my $value = last_value($series->{points});
    my $defaults = $panel->{fieldConfig}{defaults};
    my $color;

    for my $step (@{$defaults->{thresholds}{steps}}) {
        $color = $step->{color}
            if !defined $step->{value} || $value >= $step->{value};
    }

    rect($x, $y, $w, $h, rx => 3, fill => $background{$color});
    text($x + 12, $y + 22, $panel->{title}, 'font-size' => 13,
         'font-weight' => 'bold', fill => '#fff');
    text($x + $w / 2, $y + $h / 2 + 22,
         formatted($value, $defaults->{unit}, $defaults->{decimals}),
         'font-size' => 34, 'text-anchor' => 'middle', fill => '#fff');
}


# Round steps of an axis, about five

sub ticks {
    my ($top, $unit) = @_;
    my $raw = ($top || 1) / 4;
    my $base = $unit eq 'bytes' ? 2 : 10;
    my $power = $base ** floor(log($raw) / log($base));
    my @steps = map { $_ * $power } $base == 2 ? (1, 2) : (1, 2, 2.5, 5, 10);

    @steps = (15, 30, 60, 120, 300, 600, 1800, 3600, 86400)
        if $unit eq 's' && $top > 45;

    my ($step) = grep { $_ >= $raw * 0.999 } @steps;

    return map { $_ * $step } 0 .. ceil($top / $step || 1);
}

# Lines through consecutive points

sub runs {
    my ($points) = @_;
    my @runs;
    my $last;

    for my $time (sort { $a <=> $b } keys %$points) {
        push @runs, []
            if !defined $last || $time > $last + 1.5 * $board->{step};
        push @{$runs[-1]}, $time;
        $last = $time;
    }

    return @runs;
}

sub timeseries {
    my ($panel, $x, $y, $w, $h) = @_;
    my @series = series($panel);
    my $custom = $panel->{fieldConfig}{defaults}{custom};
    my $stacked = $custom->{stacking}{mode} eq 'normal';
    my $unit = $panel->{fieldConfig}{defaults}{unit};

    for my $s (@series) {
        $s->{side} = setting($panel, $s->{name}, 'custom.axisPlacement')
                     || 'left';
        $s->{title} = $s->{name} . ($s->{side} eq 'right' ? ' (right)' : '');
    }

    my $name = max(map { length $_->{title} } @series);
    my $legend = min(0.46 * $w, max(0.3 * $w, 200 + 6.5 * $name));
    my ($left, $right) = ($x + 66, $x + $w - $legend - 12);
    my ($top, $bottom) = ($y + 38, $y + $h - 28);
    my (%below, %axis);

    for my $i (0 .. $#series) {
        my $s = $series[$i];
        my $fixed = setting($panel, $s->{name}, 'color');

        $s->{color} = $fixed ? $background{$fixed->{fixedColor}}
                             : $colors[$i % @colors];

        for my $time (keys %{$s->{points}}) {
            $s->{from}{$time} = $stacked ? $below{$time} || 0 : 0;
            $s->{at}{$time} = $s->{points}{$time} + $s->{from}{$time};
            $below{$time} = $s->{at}{$time};
        }

        $axis{$s->{side}}{top} = max($axis{$s->{side}}{top} || 0,
                                     values %{$s->{at}});
    }

    $right -= 40 if $axis{right};

    for my $side (keys %axis) {
        my @ticks = ticks($axis{$side}{top}, $unit);
        my $scale = $axis{$side}{scale} = ($bottom - $top) / $ticks[-1];

        for my $tick (@ticks) {
            my $at = $bottom - $tick * $scale;

            rect($left, $at, $right - $left, 1, fill => '#e4e7eb')
                if $side eq 'left';
            text($side eq 'left' ? $left - 6 : $right + 6, $at + 4,
                 formatted($tick, $unit), fill => '#666', 'font-size' => 10,
                 'text-anchor' => $side eq 'left' ? 'end' : 'start');
        }
    }

    my $px = sub {
        $left + ($_[0] - $board->{from}) / $seconds * ($right - $left) };

    for (my $at = 0; $at <= $seconds; $at += 60) {
        my $tick = $px->($board->{from} + $at);

        rect($tick, $top, 1, $bottom - $top, fill => '#f0f2f4');
        text($tick, $bottom + 16, sprintf('%d:%02d', $at / 60, $at % 60),
             fill => '#666', 'font-size' => 10, 'text-anchor' => 'middle');
    }

    for my $s (@series) {
        my $scale = $axis{$s->{side}}{scale};
        my $py = sub { $bottom - $_[0] * $scale };

        for my $run (runs($s->{points})) {
            my @line = map { sprintf '%.1f,%.1f', $px->($_),
                                     $py->($s->{at}{$_}) } @$run;

            if ($custom->{fillOpacity}) {
                my @back = map { sprintf '%.1f,%.1f', $px->($_),
                                         $py->($s->{from}{$_}) } reverse @$run;

                print "<polygon points=\"@line @back\" fill=\"$s->{color}\" "
                      . 'fill-opacity="', $custom->{fillOpacity} / 100,
                      "\"/>\n";
            }

            print "<polyline points=\"@line\" fill=\"none\" "
                  . "stroke=\"$s->{color}\" stroke-width=\"1.5\" "
                  . "stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n";
        }
    }

    # the legend: a table with the last and the highest value

    my ($lx, $lw) = ($x + $w - $legend + 6, $legend - 16);
    my $ly = $y + 46;
    my $line = min(17, ($h - 56) / @series);

    text($lx + $lw - 74, $ly, 'Last', fill => '#666', 'text-anchor' => 'end');
    text($lx + $lw, $ly, 'Max', fill => '#666', 'text-anchor' => 'end');

    for my $s (@series) {
        my $max = max(values %{$s->{points}});

        $ly += $line;
        rect($lx, $ly - 6, 12, 3, fill => $s->{color});
        text($lx + 18, $ly, cut($s->{title}, $lw - 18 - 140));
        text($lx + $lw - 74, $ly,
             formatted(last_value($s->{points}), $unit),
             'text-anchor' => 'end');
        text($lx + $lw, $ly, formatted($max, $unit),
             'text-anchor' => 'end');
    }
}


# The transformations "merge" and "organize" of instant queries

sub table {
    my ($panel, $x, $y, $w, $h) = @_;
    my ($organize) = map { $_->{options} } grep { $_->{id} eq 'organize' }
                     @{$panel->{transformations}};
    my $several = @{$panel->{targets}} > 1;
    my (%label, @rows, %row, @values);

    for my $target (@{$panel->{targets}}) {
        my $value = $several ? "Value #$target->{refId}" : 'Value';

        push @values, $value;

        for my $result (@{$target->{result}}) {
            my %labels = %{$result->{metric}};
            my $key = join "\0", map { "$_=$labels{$_}" } sort keys %labels;

            $label{$_} = 1 for keys %labels;
            push @rows, $row{$key} = { %labels } unless $row{$key};
            $row{$key}{$value} = $result->{value}[1];
        }
    }

    die "panel \"$panel->{title}\" is empty\n" unless @rows;

    my @columns = ((sort keys %label), @values);
    my $narrow = 110;
    my $line = min(20, ($h - 64) / @rows);

    # as wide as their contents

    my @longest = map { my $name = $_;
                        max(12, map { length $_->{$name} } @rows) }
                  sort keys %label;
    my @wide = map { ($w - 24 - $narrow * @values) * $_ / sum(@longest) }
               @longest;

    for my $i (0 .. $#columns) {
        my $name = $organize->{renameByName}{$columns[$i]} || $columns[$i];
        my $number = $i >= keys %label;
        my $at = $number ? $x + $w - 12 - $narrow * ($#columns - $i)
                         : $x + 12 + sum(0, @wide[0 .. $i - 1]);
        my @anchor = ('text-anchor' => $number ? 'end' : 'start');
        my $ly = $y + 50;

        text($at, $ly, $name, fill => '#666', 'font-weight' => 'bold',
             @anchor);

        for my $row (@rows) {
            my $value = $row->{$columns[$i]};

            $ly += $line;
            text($at, $ly,
                 $number ? formatted($value, setting($panel, $name, 'unit'),
                                     setting($panel, $name, 'decimals'))
                         : cut($value, $wide[$i] - 8), @anchor);
            rect($x + 12, $ly + 5, $w - 24, 1, fill => '#eef0f2')
                if $i == 0;
        }
    }
}


my $height = $head + max(map { ($_->{gridPos}{y} + $_->{gridPos}{h}) * $row }
                         @{$board->{panels}}) + $gap;
my $width = 24 * $column + $gap;

binmode STDOUT, ':utf8';

print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"$width\" "
      . "height=\"$height\" viewBox=\"0 0 $width $height\" "
      . "font-family=\"DejaVu Sans, Verdana, sans-serif\">\n";
rect(0, 0, $width, $height, fill => '#eef0f3');
text($gap + 4, 30, $board->{title}, 'font-size' => 18,
     'font-weight' => 'bold');

my %draw = (stat => \&stat, timeseries => \&timeseries, table => \&table);

for my $panel (@{$board->{panels}}) {
    my $pos = $panel->{gridPos};
    my @box = ($gap + $pos->{x} * $column, $head + $pos->{y} * $row,
               $pos->{w} * $column - $gap, $pos->{h} * $row - $gap);

    if ($panel->{type} ne 'stat') {
        rect(@box, rx => 3, fill => '#fff', stroke => '#d8dce2');
        text($box[0] + 12, $box[1] + 22, $panel->{title}, 'font-size' => 13,
             'font-weight' => 'bold');
    }

    $draw{$panel->{type}}->($panel, @box);
}

print "</svg>\n";
